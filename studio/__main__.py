"""`python -m studio` is the command `studio`."""

from studio.command_line.main import main

if __name__ == "__main__":
    main()
