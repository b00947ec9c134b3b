"""Pipelines as scikit-learn transformers, and fitted transformers as pipelines."""
