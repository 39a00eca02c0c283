"""Tasks that do something in Bitbucket."""
