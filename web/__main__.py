"""`python -m web` starts the web process."""

from web.serve import main

if __name__ == "__main__":
    main()
