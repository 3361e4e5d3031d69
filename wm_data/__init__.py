"""What an episode is, and the formats that episodes are kept in; training reads them from here, whoever made them."""
