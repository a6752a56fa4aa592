"""What runs in the jail, in processes of its own: nothing here imports anything of Django."""
