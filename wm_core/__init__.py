"""What every other room may use: poses, limits, configuration, errors. numpy and PyYAML only."""
