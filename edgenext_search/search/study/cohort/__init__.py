"""The trials of a cohort: how they are proposed, trained and recorded, and what each decision may know."""
