"""One study for several coordinators, on one machine or many: who runs which trial, and what if one of them is lost."""
