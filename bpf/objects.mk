# SPDX-License-Identifier: MIT
#
# objects - what a tool is linked from besides its own file and common.o, one line for each

zpcopy-objs := scan.o
zphold-objs := scan.o symbols.o zphold_holders.o
zptop-objs := scan.o zptop_rows.o zptop_show.o zptop_screen.o
zptop-libs := -lncurses
zpcheck-objs := scan.o
