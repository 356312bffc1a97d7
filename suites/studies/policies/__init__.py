"""Precision policies beside other people's tools: what each leaves in fp32, and how far the result drifts."""
