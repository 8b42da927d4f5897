package sqlite

// PlaceTaken is what placeNew does on a file system without second names.
var PlaceTaken = placeTaken
