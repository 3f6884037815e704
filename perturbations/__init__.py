"""Ways of rewording a prompt without changing what it means, one file each."""
