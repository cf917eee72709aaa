"""What asking language models costs: a row for every call, and the budgets that stop the next one."""
