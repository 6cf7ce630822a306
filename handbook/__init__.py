"""The site and the classroom, from README, docs/ and the code's own tables: `python -m handbook site | notebooks`."""
