# Jobs that several networks of this project use would stand here.
