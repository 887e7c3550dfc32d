"""The story that `make demo` tells: eight numbers, two customers, sixty days in a few seconds.

`place` brings both services up in a home that is gone afterwards, `story` drives them over HTTP as anybody would,
`promises` holds what they recorded against what the rules promise, `telling` shows it.
"""
