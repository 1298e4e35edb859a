"""The verbs of the command line: what each does with its options, and their flags."""
