"""What people save in a workspace: searches and dashboards."""
