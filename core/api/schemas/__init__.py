"""What the API takes and answers, as typed models by subject; descriptions and examples are its documentation."""
