"""One preprocessing step a file, named after the file: its options, its constants, its function."""
