"""The site, made from README, docs/ and the code's own tables: `python -m handbook site`."""
