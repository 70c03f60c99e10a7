"""Tensile curves: raw exports of testers read, cut, evaluated, kept and drawn."""
