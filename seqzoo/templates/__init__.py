"""What `seqzoo new plugin` writes: a package of one kind of plugin, from the files in files/."""
