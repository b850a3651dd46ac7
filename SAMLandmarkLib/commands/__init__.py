"""The commands of `samlandmark`, one module each; importing them loads neither torch nor SimpleITK."""
