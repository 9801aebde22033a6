"""The version of the product, said here and nowhere else (https://semver.org)."""

VERSION = "0.1.0"
