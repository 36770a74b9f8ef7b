"""Getting the dataset: from Kaggle, or from what was downloaded by hand."""
