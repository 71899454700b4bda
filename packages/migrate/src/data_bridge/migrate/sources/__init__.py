"""Where migrations come from: classes, SQL files, folders."""
