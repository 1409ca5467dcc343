"""Mutation tests of the integration: small changes of its code, each of which some test has to notice."""
