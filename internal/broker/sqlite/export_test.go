package sqlite

// PlaceTaken is what placeNew does on a file system without second names.
var PlaceTaken = placeTaken

// FirstSince is how the first row since a time is found.
const FirstSince = firstSinceQuery
