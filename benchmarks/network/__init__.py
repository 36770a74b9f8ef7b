"""Measures the network: shortcuts, heat maps, corruptions, foreign pictures, exports."""
