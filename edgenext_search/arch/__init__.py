"""What an architecture is: candidates, spaces, budgets and closed-form costs. Imports no torch."""
