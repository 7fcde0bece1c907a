"""Makes the JSON Schemas of `config/schema` of the models that the program itself goes by: `make schema`."""
