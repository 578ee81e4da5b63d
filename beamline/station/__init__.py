"""The devices of one beamline: built, connected, limited, and their puts logged."""
