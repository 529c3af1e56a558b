"""What was asked, and where is it?

Entry: `project.load_project` turns config.yaml and its sheets into frozen types.
"""
