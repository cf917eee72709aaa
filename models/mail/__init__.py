"""Letters as rows. A letter is written in the transaction of what it tells, and exists if that did happen."""
