package store

import "os"

func giveToOwner(*os.File, string) error { return nil }
