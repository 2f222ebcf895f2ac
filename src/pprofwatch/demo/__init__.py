"""A Go program that is played for who has none at hand: it leaks a goroutine for each order that times out."""
