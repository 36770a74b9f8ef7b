"""The JSON API: uploads, samples, their schemas and the OpenAPI document."""
