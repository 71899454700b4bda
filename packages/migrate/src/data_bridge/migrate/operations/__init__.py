"""What a migration can do: the methods of `Migration`, each as steps with the steps that undo them."""
