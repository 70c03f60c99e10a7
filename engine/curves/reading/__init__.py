"""Raw exports of tensile testers: text, tables and headings become curves in N, mm, MPa, s."""
