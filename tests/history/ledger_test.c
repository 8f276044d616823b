/* SPDX-License-Identifier: MIT */
/* Can the check of histories fail? See ledger.h. */
#include <stdio.h>

#include "ledger.h"
#include "must.h"

void ledger_test(void)
{
	enum { A = LEDGER_ADD, H = LEDGER_HIT, M = LEDGER_MISS };
	enum { D = LEDGER_DELETE, L = LEDGER_LATE_HIT, LENGTH = 5 };
	static const struct {
		const char *what;
		bool is_right;
		bool is_right_evicting;
		struct ledger_record records[LENGTH];
	} cases[] = {
		{"one after the other",
		 true,
		 true,
		 {{1, 2, 0, 0, M},
		  {3, 4, 1, 0, A},
		  {5, 6, 1, 0, H},
		  {7, 8, 0, 0, D},
		  {9, 10, 0, 0, M}}},
		{"all at once",
		 true,
		 true,
		 {{1, 10, 1, 0, A},
		  {2, 9, 2, 0, A},
		  {3, 4, 2, 0, H},
		  {5, 6, 1, 0, H},
		  {7, 8, 1, 0, H}}},
		{"two keys",
		 true,
		 true,
		 {{1, 2, 1, 0, A},
		  {3, 4, 1, 1, A},
		  {5, 6, 1, 0, H},
		  {7, 8, 0, 1, D},
		  {9, 10, 1, 0, H}}},
		{"late of a mount",
		 true,
		 true,
		 {{1, 2, 1, 0, A}, {3, 4, 2, 0, A}, {5, 6, 1, 0, L}}},
		{"a miss before the delete ends",
		 true,
		 true,
		 {{1, 2, 1, 0, A}, {3, 6, 0, 0, D}, {4, 5, 0, 0, M}}},
		{"a hit of what nobody added",
		 false,
		 false,
		 {{1, 2, 1, 0, A}, {3, 4, 2, 0, H}}},
		{"late of what nobody added",
		 false,
		 false,
		 {{1, 2, 1, 0, A}, {3, 4, 2, 0, L}}},
		{"a hit before the add",
		 false,
		 false,
		 {{1, 2, 1, 0, H}, {3, 4, 1, 0, A}}},
		{"a hit after the delete",
		 false,
		 false,
		 {{1, 2, 1, 0, A}, {3, 4, 0, 0, D}, {5, 6, 1, 0, H}}},
		{"a hit of what was replaced",
		 false,
		 false,
		 {{1, 2, 1, 0, A}, {3, 4, 2, 0, A}, {5, 6, 1, 0, H}}},
		{"the old value after the new one, in one add",
		 false,
		 false,
		 {{1, 2, 1, 0, A},
		  {3, 8, 2, 0, A},
		  {4, 5, 2, 0, H},
		  {6, 7, 1, 0, H}}},
		{"two values in turn",
		 false,
		 false,
		 {{1, 3, 1, 0, A},
		  {2, 4, 2, 0, A},
		  {5, 6, 1, 0, H},
		  {7, 8, 2, 0, H},
		  {9, 10, 1, 0, H}}},
		{"a miss between two hits",
		 false,
		 false,
		 {{1, 2, 1, 0, A}, {3, 4, 0, 0, M}, {5, 6, 1, 0, H}}},
		{"a miss that only an eviction explains",
		 false,
		 true,
		 {{1, 2, 1, 0, A}, {3, 4, 0, 0, M}}},
		{"the same after a delete before the add",
		 false,
		 true,
		 {{1, 2, 0, 0, D}, {3, 4, 1, 0, A}, {5, 6, 0, 0, M}}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int evicts = 0; evicts < 2; evicts++) {
			struct ledger_record records[LENGTH];
			struct ledger_tally tally = {0};
			bool is_right = evicts ? cases[i].is_right_evicting
					       : cases[i].is_right;

			memcpy(records, cases[i].records, sizeof(records));
			if (is_right !=
			    !ledger_check(records, LENGTH, evicts, &tally))
				must_fail(__FILE__, __LINE__, "taken as %s: %s",
					  is_right ? "wrong" : "right",
					  cases[i].what);
		}
	}
	printf("ok - wrong histories are found, and right ones pass\n");
}
