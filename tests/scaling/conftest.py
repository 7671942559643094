from study_fixtures import execution, fake, no_probe  # noqa: F401 - fixtures of this folder
