"""Local state of tasks and the changelog topics behind it: where it is kept, how it comes back."""
