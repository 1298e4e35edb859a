"""Records -> one page of HTML that needs nothing else: verdicts, figures, pictures, and how to repeat them."""
