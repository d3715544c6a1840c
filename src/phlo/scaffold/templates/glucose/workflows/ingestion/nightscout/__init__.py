"""Nightscout: continuous glucose monitoring in the cloud."""
