"""Who takes the money: one file each, chosen by name."""
