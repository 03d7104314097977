"""The downloader service: fetches a master safely and proves its checksum."""
