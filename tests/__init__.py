"""What no single app can be asked: the house rules, and what one user can see of another."""
