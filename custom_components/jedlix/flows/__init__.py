"""Flows: the forms of the config flow, the options flow and the subentry flow.

May import everything but the platforms and `config_flow`.
"""
