"""Word lists, roles and substitutions that kinds, gate and audit read; licences in their heads."""
