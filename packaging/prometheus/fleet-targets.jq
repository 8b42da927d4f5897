# Makes the targets of file_sd from `agentkeys agents --json`: one target for each board, at the
# exporter's port. A board chooses the name that it reports, so only names that are host names
# become targets, and each of them should be one that you know.
[ .[]
  | select(.state != "never_seen")
  | .host
  | select(test("^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"))
]
| unique
| map({targets: ["\(.):9478"], labels: {instance: .}})
