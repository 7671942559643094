"""The reports of scaling studies, of families and of laws."""
