"""One module for each resource of the API, with the methods that read and change it."""
