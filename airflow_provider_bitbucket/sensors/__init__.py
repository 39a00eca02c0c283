"""Tasks that wait for something in Bitbucket."""
